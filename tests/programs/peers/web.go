// `web serve ADDRESS PORT` answers with what it was sent; `web get HOST PORT` checks it 200 times, eight at once.
package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
)

func main() {
	if os.Args[1] == "serve" {
		listener, err := net.Listen("tcp", net.JoinHostPort(os.Args[2], os.Args[3]))
		check(err)
		fmt.Println("ready")
		check(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			check(err)
			w.Write(body)
		})))
	}
	_, err := net.LookupHost(os.Args[2])
	check(err)
	addresses, err := net.InterfaceAddrs()
	check(err)
	var group sync.WaitGroup
	for k := 0; k < 8; k++ {
		group.Add(1)
		go func(k int) {
			defer group.Done()
			for n := 0; n < 25; n++ {
				body := make([]byte, (25*k+n)*997)
				rand.Read(body)
				answer, err := http.Post("http://"+net.JoinHostPort(os.Args[2], os.Args[3]), "", bytes.NewReader(body))
				check(err)
				got, err := io.ReadAll(answer.Body)
				check(err)
				answer.Body.Close()
				if !bytes.Equal(got, body) {
					log.Fatal("not what was sent")
				}
			}
		}(k)
	}
	group.Wait()
	fmt.Println(200, addresses)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
