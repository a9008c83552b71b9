// The part of a kubelet that forwards ports, with the kubelet's own code: whatever the pod and its port, what is forwarded goes to the one
// address that is given. It says on which port it listens, and ends with its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
)

// address is where all pods answer.
type address string

// PortForward copies both ways until either side has ended.
func (a address) PortForward(_ context.Context, _ string, _ types.UID, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	pod, err := net.Dial("tcp", string(a))
	if err != nil {
		return fmt.Errorf("failed to connect to localhost:%d inside the pod: connection refused", port)
	}
	defer pod.Close()
	done := make(chan struct{}, 2)
	copy := func(to io.Writer, from io.Reader) {
		io.Copy(to, from)
		done <- struct{}{}
	}
	go copy(pod, stream)
	go copy(stream, pod)
	<-done
	return nil
}

func main() {
	pods := address(os.Args[1])
	server := httptest.NewTLSServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
		options, err := portforward.NewV4Options(request)
		if err != nil || len(parts) != 3 || parts[0] != "portForward" {
			http.Error(answer, fmt.Sprintf("%s: %v", request.URL.Path, err), http.StatusBadRequest)
			return
		}
		portforward.ServePortForward(answer, request, pods, parts[2], "", options, time.Minute, time.Minute, portforward.SupportedProtocols)
	}))
	fmt.Println(server.Listener.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
}
