#!/bin/bash
# Certificates for the FTP servers of tests: ftp-certificates.sh DIR makes ca.pem, server.pem (127.0.0.1 and localhost),
# expired.pem, other.pem (another name), all with server.key, and client.pem with client.key.
set -eu
mkdir -p "$1"
cd "$1"
mkdir -p new
: > index
echo 01 > serial
cat > ca.conf <<-END
	[ca]
	default_ca = lab
	[lab]
	new_certs_dir = $PWD/new
	database = $PWD/index
	serial = $PWD/serial
	default_md = sha256
	policy = any
	copy_extensions = copy
	unique_subject = no
	[any]
	commonName = supplied
	[req]
	distinguished_name = name
	[name]
END

sign() # NAME SUBJECT ALTERNATIVES FROM TO
{
	openssl req -new -config ca.conf -key "${1%%-*}.key" -subj "/CN=$2" -addext "subjectAltName=$3" -out "$1.csr"
	openssl ca -batch -notext -config ca.conf -cert ca.pem -keyfile ca.key -in "$1.csr" -out "$1.pem" -startdate "$4" -enddate "$5"
}

{
	openssl req -x509 -config ca.conf -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj "/CN=Lab authority" \
		-addext basicConstraints=critical,CA:TRUE
	openssl genrsa -out server.key 2048
	openssl genrsa -out client.key 2048
	past=$(date -u -d '-9 days' +%Y%m%d%H%M%SZ)
	yesterday=$(date -u -d '-1 day' +%Y%m%d%H%M%SZ)
	future=$(date -u -d '+30 days' +%Y%m%d%H%M%SZ)
	sign server localhost DNS:localhost,IP:127.0.0.1 "$past" "$future"
	ln -s server.key expired.key
	ln -s server.key other.key
	sign expired localhost DNS:localhost,IP:127.0.0.1 "$past" "$yesterday"
	sign other ftp.another.example DNS:ftp.another.example "$past" "$future"
	sign client ferrule DNS:ferrule.example "$past" "$future"
} > openssl.log 2>&1 || { cat openssl.log >&2; exit 1; }
