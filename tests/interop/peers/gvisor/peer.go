// gVisor's netstack as a peer: see ../programs.rs for what a peer does. Its frames pass over the stream at descriptor 0,
// each after its length.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"gvisor.dev/gvisor/pkg/bufferv2"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const (
	port = 7000
	nic  = 1
)

func fail(what string, reason interface{}) {
	fmt.Printf("error %s: %v\n", what, reason)
	os.Exit(1)
}

// open makes the stack, with SACK as gVisor itself has it.
func open(mtu uint32) *stack.Stack {
	netstack := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	sack := tcpip.TCPSACKEnabled(true)
	if err := netstack.SetTransportProtocolOption(tcp.ProtocolNumber, &sack); err != nil {
		fail("SACK", err)
	}
	link := channel.New(4096, mtu+header.EthernetMinimumSize, tcpip.LinkAddress("\x02\x00\x00\x00\x78\x02"))
	if err := netstack.CreateNIC(nic, ethernet.New(link)); err != nil {
		fail("interface", err)
	}
	for _, cidr := range []string{"10.78.0.2/24", "fd78::2/64"} {
		address, network, err := net.ParseCIDR(cidr)
		if err != nil {
			fail(cidr, err)
		}
		protocol, bytes := protocolOf(address)
		prefix, _ := network.Mask.Size()
		withPrefix := tcpip.AddressWithPrefix{Address: tcpip.Address(bytes), PrefixLen: prefix}
		protocolAddress := tcpip.ProtocolAddress{Protocol: protocol, AddressWithPrefix: withPrefix}
		if err := netstack.AddProtocolAddress(nic, protocolAddress, stack.AddressProperties{}); err != nil {
			fail(cidr, err)
		}
		netstack.AddRoute(tcpip.Route{Destination: withPrefix.Subnet(), NIC: nic})
	}
	go sendFrames(link)
	go receiveFrames(link)
	return netstack
}

func protocolOf(address net.IP) (tcpip.NetworkProtocolNumber, net.IP) {
	if v4 := address.To4(); v4 != nil {
		return ipv4.ProtocolNumber, v4
	}
	return ipv6.ProtocolNumber, address
}

func sendFrames(link *channel.Endpoint) {
	output := os.NewFile(0, "frames")
	for {
		packet := link.ReadContext(context.Background())
		frame := packet.ToView().AsSlice()
		packet.DecRef()
		whole := make([]byte, 4, 4+len(frame))
		binary.BigEndian.PutUint32(whole, uint32(len(frame)))
		if _, err := output.Write(append(whole, frame...)); err != nil {
			os.Exit(0) // the other side has gone
		}
	}
}

func receiveFrames(link *channel.Endpoint) {
	input := bufio.NewReader(os.NewFile(0, "frames"))
	for {
		var length [4]byte
		if _, err := io.ReadFull(input, length[:]); err != nil {
			os.Exit(0)
		}
		frame := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(input, frame); err != nil {
			os.Exit(0)
		}
		packet := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: bufferv2.MakeWithData(frame)})
		link.InjectInbound(0, packet) // the protocol stands in the Ethernet header
		packet.DecRef()
	}
}

func join(netstack *stack.Stack, role string, address net.IP) *gonet.TCPConn {
	protocol, bytes := protocolOf(address)
	full := tcpip.FullAddress{NIC: nic, Addr: tcpip.Address(bytes), Port: port}
	if role == "serve" {
		listener, err := gonet.ListenTCP(netstack, full, protocol)
		if err != nil {
			fail("listen", err)
		}
		fmt.Println("ready")
		stream, err := listener.Accept()
		if err != nil {
			fail("accept", err)
		}
		return stream.(*gonet.TCPConn)
	}
	stream, err := gonet.DialTCP(netstack, full, protocol)
	if err != nil {
		if !errors.Is(err, syscall.ECONNREFUSED) && !strings.Contains(err.Error(), "refused") {
			fail("connect", err)
		}
		fmt.Println("refused")
		select {}
	}
	return stream
}

func main() {
	if len(os.Args) != 5 {
		os.Exit(2)
	}
	role, mode := os.Args[1], os.Args[2]
	mtu, err := strconv.Atoi(os.Args[4])
	if err != nil {
		os.Exit(2)
	}
	stream := join(open(uint32(mtu)), role, net.ParseIP(os.Args[3]))

	sum := fnv.New64a()
	sinks := []io.Writer{sum}
	if text := strings.TrimPrefix(mode, "send:"); text != mode {
		size, err := strconv.Atoi(text)
		if err != nil {
			os.Exit(2)
		}
		data := make([]byte, size)
		for index := range data {
			data[index] = byte(index % 251)
		}
		if _, err := stream.Write(data); err != nil {
			fail("write", err)
		}
		if err := stream.CloseWrite(); err != nil {
			fail("shutdown", err)
		}
	} else {
		sinks = append(sinks, stream)
	}
	total, err := io.Copy(io.MultiWriter(sinks...), stream)
	if err != nil {
		fail("read", err)
	}
	if err := stream.Close(); err != nil {
		fail("close", err)
	}
	fmt.Printf("done %d %016x\n", total, sum.Sum64())
	select {}
}
