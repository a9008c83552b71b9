// Argo CD's own repo-server and cmp-server, and a client that asks the former what Argo CD's controller and its UI ask:
// an Application's manifests, and the parameters that its plugin announces. Requests and answers are JSON, a line each.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/alicebob/miniredis/v2"
	cmpserver "github.com/argoproj/argo-cd/v3/cmd/argocd-cmp-server/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/argoproj/argo-cd/v3/reposerver/apiclient"
)

type question struct {
	Manifests *apiclient.ManifestRequest           `json:"manifests,omitempty"`
	Details   *apiclient.RepoServerAppDetailsQuery `json:"details,omitempty"`
}

type answer struct {
	Manifests *apiclient.ManifestResponse       `json:"manifests,omitempty"`
	Details   *apiclient.RepoAppDetailsResponse `json:"details,omitempty"`
	Error     string                            `json:"error,omitempty"`
}

func main() {
	arguments := os.Args
	role := arguments[1]
	os.Args = append(arguments[:1:1], arguments[2:]...)
	if err := run(role); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(role string) error {
	switch role {
	case "cmp-server":
		command := cmpserver.NewCommand()
		return command.Execute()
	case "repo-server":
		// What it caches, it caches in Redis.
		redis, err := miniredis.Run()
		if err != nil {
			return err
		}
		os.Args = append(os.Args, "--redis", redis.Addr())
		return reposerver.NewCommand().Execute()
	case "ask":
		return ask(os.Args[1])
	}
	return fmt.Errorf("%s is none of cmp-server, repo-server, ask", role)
}

func ask(address string) error {
	clients := apiclient.NewRepoServerClientset(address, 60, apiclient.TLSConfiguration{DisableTLS: true})
	connection, client, err := clients.NewRepoServerClient()
	if err != nil {
		return err
	}
	defer connection.Close()
	questions, answers := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for questions.More() {
		var asked question
		if err := questions.Decode(&asked); err != nil {
			return err
		}
		if err := answers.Encode(answerOf(client, asked)); err != nil {
			return err
		}
	}
	return nil
}

func answerOf(client apiclient.RepoServerServiceClient, asked question) (said answer) {
	var err error
	if asked.Manifests != nil {
		said.Manifests, err = client.GenerateManifest(context.Background(), asked.Manifests)
	} else {
		said.Details, err = client.GetAppDetails(context.Background(), asked.Details)
	}
	if err != nil {
		said.Error = err.Error()
	}
	return said
}
