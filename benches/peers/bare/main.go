// Command bare applies the objects of a List in JSON, and does nothing else: it sends one server-side apply for each, so many at a
// time, over connections that it keeps. What a program can't be faster than that applies every object.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
)

// object is what must be known of an object to send it as it stands.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
}

type server struct {
	client *http.Client
	url    string
	token  string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bare: ")
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "kubeconfig, in JSON")
	concurrency := flag.Int("concurrency", 16, "how many objects at a time")
	http2 := flag.Bool("http2", false, "speak HTTP/2, over one connection")
	flag.Parse()
	items := read(flag.Arg(0))
	server := connect(*kubeconfig, *concurrency, *http2)
	plurals := map[string]string{}
	waiting := make(chan func())
	var workers sync.WaitGroup
	for range *concurrency {
		workers.Go(func() {
			for work := range waiting {
				work()
			}
		})
	}
	for _, item := range items {
		path := server.path(item, plurals)
		waiting <- func() { server.ask("PATCH", path, item) }
	}
	close(waiting)
	workers.Wait()
}

func read(file string) []json.RawMessage {
	text, err := os.ReadFile(file)
	must(err)
	var list struct{ Items []json.RawMessage }
	must(json.Unmarshal(text, &list))
	return list.Items
}

func connect(kubeconfig string, concurrency int, http2 bool) server {
	text, err := os.ReadFile(kubeconfig)
	must(err)
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server      string
				Certificate string `json:"certificate-authority"`
			}
		}
		Users []struct{ User struct{ Token string } }
	}
	must(json.Unmarshal(text, &config))
	cluster := config.Clusters[0].Cluster
	certificate, err := os.ReadFile(cluster.Certificate)
	must(err)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(certificate)
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: trusted},
		MaxIdleConnsPerHost: concurrency,
		ForceAttemptHTTP2:   http2,
	}
	return server{&http.Client{Transport: transport}, cluster.Server, config.Users[0].User.Token}
}

// path is where an object is applied to. The plurals of a version are asked for once.
func (server server) path(item json.RawMessage, plurals map[string]string) string {
	var object object
	must(json.Unmarshal(item, &object))
	root := "/apis/" + object.APIVersion
	if !strings.Contains(object.APIVersion, "/") {
		root = "/api/" + object.APIVersion
	}
	kind := root + " " + object.Kind
	if plurals[kind] == "" {
		var resources struct {
			Resources []struct {
				Name string
				Kind string
			}
		}
		must(json.Unmarshal(server.ask("GET", root, nil), &resources))
		for _, resource := range resources.Resources {
			if !strings.Contains(resource.Name, "/") {
				plurals[root+" "+resource.Kind] = resource.Name
			}
		}
	}
	if object.Metadata.Namespace != "" {
		root += "/namespaces/" + object.Metadata.Namespace
	}
	return fmt.Sprintf("%s/%s/%s?fieldManager=kaito&force=false&fieldValidation=Strict", root, plurals[kind], object.Metadata.Name)
}

func (server server) ask(method, path string, body []byte) []byte {
	request, err := http.NewRequest(method, server.url+path, bytes.NewReader(body))
	must(err)
	request.Header.Set("Authorization", "Bearer "+server.token)
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/apply-patch+yaml")
	}
	answer, err := server.client.Do(request)
	must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(err)
	if answer.StatusCode >= 300 {
		log.Fatalf("%s %s: %s", method, path, text)
	}
	return text
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
