package dialect

var embeddingsEndpoints = []*Endpoint{
	{Path: "/v1/embeddings", Protocol: Embeddings, api: embeddings, promptOnly: true},
}

var embeddings = &api{
	asks:    everyRequest,
	prompts: "input",
	stream:  chunks,
}
