package dialect

var completionsEndpoints = []*Endpoint{
	{Path: "/v1/completions", Protocol: Completions, api: completions},
}

var completions = &api{
	asks:    everyRequest | 1<<memberMaxTokens | 1<<memberN | 1<<memberBestOf | 1<<memberStreamOptions,
	turns:   "prompt",
	prompts: "prompt",
	stream:  chunks,
}
