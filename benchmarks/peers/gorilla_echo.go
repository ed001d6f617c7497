// An echo server with gorilla/websocket, written like its examples. Its compression has no context takeover.
// Workers are threads: the number of workers is the number of processors that the Go runtime may use.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime"

	"github.com/gorilla/websocket"
)

var upgrader websocket.Upgrader

func echo(writer http.ResponseWriter, request *http.Request) {
	connection, err := upgrader.Upgrade(writer, request, nil)
	if err != nil {
		return
	}
	defer connection.Close()
	for {
		kind, message, err := connection.ReadMessage()
		if err != nil {
			return
		}
		if err = connection.WriteMessage(kind, message); err != nil {
			return
		}
	}
}

func main() {
	port := flag.Int("port", 0, "")
	deflate := flag.Bool("deflate", false, "")
	certificate := flag.String("tls-cert", "", "")
	key := flag.String("tls-key", "", "")
	workers := flag.Int("workers", 1, "")
	flag.Parse()

	upgrader.EnableCompression = *deflate
	runtime.GOMAXPROCS(*workers)
	http.HandleFunc("/", echo)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	if *certificate != "" {
		log.Fatal(http.ServeTLS(listener, nil, *certificate, *key))
	}
	log.Fatal(http.Serve(listener, nil))
}
