// What Go, which asks by itself, without a C library, sees of a host's interfaces.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	interfaces, err := net.Interfaces()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, one := range interfaces {
		addresses, err := one.Addrs()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(one.Index, one.Name, one.MTU, one.HardwareAddr, one.Flags, addresses)
	}
}
