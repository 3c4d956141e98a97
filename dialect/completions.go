package dialect

var completionsEndpoints = []*Endpoint{
	{Path: "/v1/completions", Protocol: Completions, api: completions},
}

// completions streams as chat does, with text where chat has a delta.
var completions = &api{
	asks:    everyRequest | 1<<memberMaxTokens | 1<<memberN | 1<<memberBestOf | 1<<memberStreamOptions,
	turns:   "prompt",
	prompts: "prompt",
	event:   (*Events).chunk,
	marks:   chunkMarks,
	tells:   chunkTellings,
	mark:    (*Events).chunkMark,
	close:   (*Events).chunkClose,
	broken:  (*Events).chunkBreak,
}
