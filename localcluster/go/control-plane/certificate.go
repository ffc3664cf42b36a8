package main

import (
	"encoding/pem"
	"net"
	"os"
	"path/filepath"

	"k8s.io/client-go/util/cert"
)

// writeCertificate writes into a folder what an API server needs to be believed: tls.crt, valid
// for the names, its key tls.key, and ca.crt, the authority that signed it and is then forgotten.
func writeCertificate(folder string, names []string) error {
	var addresses []net.IP
	var hosts []string
	for _, name := range names {
		if address := net.ParseIP(name); address != nil {
			addresses = append(addresses, address)
		} else {
			hosts = append(hosts, name)
		}
	}
	chain, key, err := cert.GenerateSelfSignedCertKey(names[0], addresses, hosts)
	if err != nil {
		return err
	}
	leaf, authority := pem.Decode(chain)
	files := map[string][]byte{
		"tls.crt": pem.EncodeToMemory(leaf),
		"ca.crt":  authority,
		"tls.key": key,
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(folder, file), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
