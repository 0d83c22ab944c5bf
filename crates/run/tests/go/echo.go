// An echo server and a hundred clients at once, in a language with system calls and a poller of its own.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	time.AfterFunc(50*time.Second, func() { check(fmt.Errorf("it takes too long")) })
	listener, err := net.Listen("tcp", "10.0.0.2:0")
	check(err)
	go func() {
		for {
			stream, err := listener.Accept()
			check(err)
			go func() {
				io.Copy(stream, stream)
				stream.Close()
			}()
		}
	}()
	done := make(chan error)
	for range make([]int, 100) {
		go func() {
			stream, err := net.Dial("tcp", listener.Addr().String())
			check(err)
			fmt.Fprint(stream, "hello")
			check(stream.(*net.TCPConn).CloseWrite())
			text, err := io.ReadAll(stream)
			if err == nil && string(text) != "hello" {
				err = fmt.Errorf("%q came back", text)
			}
			done <- err
		}()
	}
	for range make([]int, 100) {
		check(<-done)
	}
	datagrams, err := net.ListenPacket("udp", "10.0.0.2:0")
	check(err)
	_, err = datagrams.WriteTo([]byte("hello"), datagrams.LocalAddr())
	check(err)
	buffer := make([]byte, 10)
	n, _, err := datagrams.ReadFrom(buffer)
	check(err)
	if string(buffer[:n]) == "hello" {
		fmt.Println("it works")
	}
}
