package main

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// serveSSH serves who has a key in authorized_keys, with the key in host_key; both are read for each connection.
func (s *server) serveSSH(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		fail(err)
		go s.talk(connection)
	}
}

func (s *server) talk(connection net.Conn) {
	defer connection.Close()
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		text, err := os.ReadFile(filepath.Join(s.root, "authorized_keys"))
		for err == nil && len(text) > 0 {
			var known ssh.PublicKey
			if known, _, _, text, err = ssh.ParseAuthorizedKey(text); err == nil && string(known.Marshal()) == string(key.Marshal()) {
				return nil, nil
			}
		}
		return nil, os.ErrPermission
	}}
	// Without a host key, this port is for nobody.
	text, err := os.ReadFile(filepath.Join(s.root, "host_key"))
	if err != nil {
		return
	}
	key, err := ssh.ParsePrivateKey(text)
	fail(err)
	config.AddHostKey(key)
	session, channels, requests, err := ssh.NewServerConn(connection, config)
	if err != nil {
		return
	}
	s.note("SSH "+session.User(), "", 0)
	go ssh.DiscardRequests(requests)
	for each := range channels {
		if each.ChannelType() != "session" {
			each.Reject(ssh.UnknownChannelType, "no")
			continue
		}
		channel, requests, err := each.Accept()
		if err != nil {
			return
		}
		go s.run(connection, channel, requests)
	}
}

func (s *server) run(connection net.Conn, channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	var extra []string
	for request := range requests {
		switch request.Type {
		case "env":
			name, rest := read(request.Payload)
			value, _ := read(rest)
			allowed := name == "GIT_PROTOCOL" && !s.rules().Version0
			if allowed {
				extra = append(extra, name+"="+value)
			}
			request.Reply(allowed, nil)
		case "exec":
			command, _ := read(request.Payload)
			service, path, _ := strings.Cut(strings.TrimPrefix(command, "git-"), " '")
			ok := service == "upload-pack" || service == "receive-pack"
			request.Reply(ok, nil)
			if ok {
				s.serve(connection, channel, service, strings.TrimSuffix(path, "'"), extra)
			}
			return
		default:
			request.Reply(false, nil)
		}
	}
}

func (s *server) serve(connection net.Conn, channel ssh.Channel, service, path string, extra []string) {
	if s.rules().ReadOnly && service == "receive-pack" {
		io.WriteString(channel.Stderr(), "ERROR: The key you are authenticating with has been marked as read only.\n")
		channel.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, 1))
		return
	}
	git := exec.Command("git", service, filepath.Join(s.root, path))
	git.Env = append(append(environment(s.root), "PATH="+os.Getenv("PATH")), extra...)
	git.Stderr = channel.Stderr()
	in, err := git.StdinPipe()
	fail(err)
	out, err := git.StdoutPipe()
	fail(err)
	fail(git.Start())
	go func() {
		io.Copy(in, channel)
		in.Close()
	}()
	var from io.Reader = out
	cut := s.rules().Cut
	if cut > 0 {
		from = io.LimitReader(out, cut)
	}
	sent, _ := io.Copy(channel, from)
	s.note(service+" "+path, "", sent)
	if cut > 0 && sent == cut {
		connection.Close()
	}
	status := 0
	if git.Wait() != nil {
		status = 128
	}
	channel.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(status)))
}

// read takes a string off the front, as SSH writes them.
func read(bytes []byte) (string, []byte) {
	if len(bytes) < 4 || uint64(binary.BigEndian.Uint32(bytes)) > uint64(len(bytes)-4) {
		return "", nil
	}
	end := 4 + binary.BigEndian.Uint32(bytes)
	return string(bytes[4:end]), bytes[end:]
}
