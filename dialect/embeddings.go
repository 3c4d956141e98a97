package dialect

var embeddingsEndpoints = []*Endpoint{
	{Path: "/v1/embeddings", Protocol: Embeddings, api: embeddings, promptOnly: true},
}

// embeddings knows no streams. A seller that sends one all the same is read as in chat.
var embeddings = &api{
	asks:    everyRequest,
	prompts: "input",
	event:   (*Events).chunk,
	marks:   chunkMarks,
	tells:   chunkTellings,
	mark:    (*Events).chunkMark,
	close:   (*Events).chunkClose,
	broken:  (*Events).chunkBreak,
}
