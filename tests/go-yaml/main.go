// Reads a stream of YAML documents as kubectl does and prints each as one line of JSON.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		line, err := yaml.YAMLToJSONStrict(append(document[:len(document):len(document)], '\n'))
		if err != nil {
			fmt.Fprintf(out, "%q\n", "error: "+err.Error())
			continue
		}
		fmt.Fprintf(out, "%s\n", line)
	}
}
