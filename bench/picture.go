package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// The picture's measures, in its own units.
const (
	labelWidth = 250
	barWidth   = 420 // of the widest bar
	rowHeight  = 26
	barHeight  = 14
	margin     = 16
)

// picture draws the gateway's ratios to reverse_proxy as bars in an SVG that is readable on dark and on light ground. A line
// stands at 1, which is reverse_proxy itself.
func picture(results []result) []byte {
	widest := 1.0
	for _, r := range results {
		widest = max(widest, r.ratios[gateway].cost)
	}
	scale := barWidth / widest
	width, height := labelWidth+barWidth+60+2*margin, len(results)*rowHeight+50+2*margin
	var svg bytes.Buffer
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="system-ui, sans-serif" font-size="13">
<title>What the gateway costs, by what reverse_proxy costs</title>
<style>text { fill: #24292f } .bar { fill: #3b7dd8 } .one { stroke: #8c959f; stroke-dasharray: 4 3 } @media (prefers-color-scheme: dark) { text { fill: #d0d7de } .bar { fill: #6aa5f0 } }</style>
<text x="%d" y="%d" font-weight="600">CPU time of a request (an open stream: memory), reverse_proxy = 1</text>
`, width, height, margin, margin+12)
	top := margin + 34
	for i, r := range results {
		y := top + i*rowHeight
		cost := r.ratios[gateway].cost
		fmt.Fprintf(&svg, `<text x="%d" y="%d">%s</text><rect class="bar" x="%d" y="%d" width="%.0f" height="%d" rx="2"/><text x="%.0f" y="%d">%.2f</text>
`, margin, y+12, escaped(r.title), margin+labelWidth, y+1, cost*scale, barHeight, margin+labelWidth+cost*scale+6, y+12, cost)
	}
	x := margin + labelWidth + scale
	fmt.Fprintf(&svg, `<line class="one" x1="%.0f" y1="%d" x2="%.0f" y2="%d"/>
</svg>
`, x, top-6, x, top+len(results)*rowHeight)
	return svg.Bytes()
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
