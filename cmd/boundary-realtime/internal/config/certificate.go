package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const maxCertificateFile = 1 << 20 // bytes

// Certificate reads the certificate of the public listener. The error is Problems, which
// name the wrong setting.
func (l Listener) Certificate() (tls.Certificate, error) {
	var problems Problems
	read := func(setting, path string) []byte {
		data, err := readLimited(path, maxCertificateFile)
		if err != nil {
			problems.add("%v", &fileError{setting, path, err})
		}
		return data
	}
	chain, private := read("tls_cert_file", l.TLSCertFile), read("tls_key_file", l.TLSKeyFile)
	if len(problems) > 0 {
		return tls.Certificate{}, problems
	}
	certificate, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return tls.Certificate{}, Problems{l.diagnose(chain, private, err)}
	}
	return certificate, nil
}

// diagnose returns the problem of a certificate and a key that do not form a pair.
func (l Listener) diagnose(chain, private []byte, err error) string {
	if invalid := checkChain(chain); invalid != nil {
		return fmt.Sprintf("%v; the setting takes the certificate chain (PEM), the server's own certificate first",
			&fileError{"tls_cert_file", l.TLSCertFile, invalid})
	}
	invalid := fmt.Errorf("it is not the private key of the certificate in tls_cert_file (%w)", err)
	if findBlock(private, "PRIVATE KEY") == nil {
		invalid = errors.New("no private key found")
	}
	return fmt.Sprintf("%v; the setting takes the private key (PEM) of the certificate in tls_cert_file",
		&fileError{"tls_key_file", l.TLSKeyFile, invalid})
}

func checkChain(chain []byte) error {
	block := findBlock(chain, "CERTIFICATE")
	if block == nil {
		return errors.New("no certificate found")
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return fmt.Errorf("the first certificate cannot be read: %w", err)
	}
	return nil
}

// findBlock returns the first PEM block with a type that ends with kind.
func findBlock(data []byte, kind string) *pem.Block {
	for {
		block, rest := pem.Decode(data)
		if block == nil || strings.HasSuffix(block.Type, kind) {
			return block
		}
		data = rest
	}
}

// checkTLS checks the two settings for TLS on the public listener.
func (l Listener) checkTLS(problems *Problems) {
	switch {
	case l.TLSCertFile == "" && l.TLSKeyFile == "":
	case l.TLSKeyFile == "":
		problems.add("tls_key_file: it is missing; tls_cert_file is set, and they belong together: set tls_key_file to the private key of that certificate")
	case l.TLSCertFile == "":
		problems.add("tls_cert_file: it is missing; tls_key_file is set, and they belong together: set tls_cert_file to the certificate chain of that key")
	default:
		if _, err := l.Certificate(); err != nil {
			var more Problems
			errors.As(err, &more)
			*problems = append(*problems, more...)
		}
	}
}
