// What Flux does, by its own packages, and registries for tests.
//
//	serve                         registries on the loopback address, until standard input ends; one line of JSON says where
//	pull ADDRESS DIRECTORY        an artifact as Flux fetches it; prints what its manifest says
//	push ADDRESS DIRECTORY S R    an artifact as `flux push artifact --reproducible` makes it, with its source and revision
//	health                        a line {"expressions", "object"} on standard input, a line with the status or what is wrong
//	substitute                    a line {"text", "variables"}, a line with what strict substitution makes of it or what is wrong
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/pkg/envsubst"
	"github.com/fluxcd/pkg/oci"
	"github.com/google/go-containerregistry/pkg/crane"
)

func main() {
	client := oci.NewClient([]crane.Option{crane.Insecure})
	switch os.Args[1] {
	case "serve":
		serve()
	case "pull":
		fail(os.MkdirAll(os.Args[3], 0o755))
		meta, err := client.Pull(context.Background(), os.Args[2], os.Args[3])
		fail(err)
		fail(json.NewEncoder(os.Stdout).Encode(meta))
	case "push":
		meta := oci.Metadata{Source: os.Args[4], Revision: os.Args[5], Created: "1970-01-01T00:00:00Z"}
		digest, err := client.Push(context.Background(), os.Args[2], os.Args[3], oci.WithPushMetadata(meta))
		fail(err)
		fmt.Println(digest)
	case "health":
		lines(func(line struct {
			Expressions expressions
			Object      map[string]any
		}) (any, error) {
			return line.Expressions.status(integers(line.Object).(map[string]any))
		})
	case "substitute":
		lines(func(line struct {
			Text      string
			Variables map[string]string
		}) (any, error) {
			return envsubst.Eval(line.Text, func(name string) (string, bool) {
				value, ok := line.Variables[name]
				return value, ok
			})
		})
	}
}

func lines[T any](answer func(T) (any, error)) {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	encoder := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var line T
		fail(json.Unmarshal(in.Bytes(), &line))
		said, err := answer(line)
		if err != nil {
			said = "error: " + err.Error()
		}
		fail(encoder.Encode(said))
	}
}

// integers has whole numbers as an API server's client has them.
func integers(value any) any {
	switch value := value.(type) {
	case float64:
		return int64(value)
	case []any:
		for at := range value {
			value[at] = integers(value[at])
		}
	case map[string]any:
		for name := range value {
			value[name] = integers(value[name])
		}
	}
	return value
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
