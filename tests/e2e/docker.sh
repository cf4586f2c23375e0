#!/usr/bin/env bash
# The container, with a real engine: the image builds, runs as a user of its
# own on port 25, is configured by the environment and a secret, delivers over
# verified TLS, and stops cleanly; the sidecar of compose.yaml greets its app.
#     DOCKER_HOST=unix:///path/docker.sock tests/e2e/docker.sh
# The engine must see this machine's files (bind mounts).
set -euo pipefail
cd "$(dirname "$0")/../.."
exec </dev/null

export DOCKER_BUILDKIT=1
image=lanpost:e2e
name=lanpost-e2e-$$
provider=${LANPOST_BUILD:-build/release}/tests/practice-provider
folder=$(mktemp -d)
password='Kopierer 7'

fail() {
	echo "docker.sh: $*" >&2
	docker logs "$name" >&2 2>/dev/null || true
	exit 1
}

compose() {
	if docker compose version >/dev/null 2>&1; then
		docker compose -p "$name" -f docker/compose.yaml "$@"
	else
		docker-compose -p "$name" -f docker/compose.yaml "$@"
	fi
}

finish() {
	docker rm -fv "$name" "$name-provider" >/dev/null 2>&1 || true
	docker network rm "$name" >/dev/null 2>&1 || true
	compose down -v --remove-orphans >/dev/null 2>&1 || true
	rm -rf "$folder"
}

wait_for() {
	local what=$1
	shift
	for _ in $(seq 300); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.1
	done
	fail "waited in vain for $what"
}

logs() { docker logs "$1" 2>&1; }
logs_say() { logs "$1" | grep -q "$2"; }

if ! docker version >/dev/null 2>&1; then
	echo "docker.sh: no Docker engine answers at" \
		"${DOCKER_HOST:-its usual place}; set DOCKER_HOST" >&2
	exit 69
fi
[ -x "$provider" ] || { echo "docker.sh: $provider is not built: cmake" \
	"--preset release && cmake --build --preset release" >&2; exit 69; }
trap finish EXIT

echo "--- the image builds"
docker build -q -f docker/Dockerfile -t $image . >/dev/null
[ "$(docker run --rm $image --version | cut -d' ' -f1)" = lanpost ]

echo "--- a provider beside it"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=provider \
	-addext subjectAltName=DNS:provider -keyout "$folder/key.pem" \
	-out "$folder/cert.pem" 2>/dev/null
printf '%s\n' "$password" >"$folder/password"
mkdir "$folder/mail"
chmod 755 "$folder"
chmod 777 "$folder/mail"
chmod 644 "$folder"/*.pem "$folder/password"
docker network create "$name" >/dev/null
docker run -d --name "$name-provider" --network "$name" \
	--network-alias provider --entrypoint /practice-provider \
	-v "$(realpath "$provider"):/practice-provider:ro" -v "$folder:/folder" \
	$image --listen 0.0.0.0 --port 587 --dir /folder/mail \
	--cert /folder/cert.pem --key /folder/key.pem \
	--user scanner@contoso.test --password "$password" >/dev/null

echo "--- lanpost by environment and secret, without a privilege"
docker run -d --name "$name" --network "$name" --network-alias lanpost \
	-p 127.0.0.1::25 \
	--read-only --cap-drop ALL --security-opt no-new-privileges \
	-v "$folder/password:/run/secrets/password:ro" \
	-v "$folder/cert.pem:/ca.pem:ro" \
	-e LANPOST_ACCOUNT_HOST=provider -e LANPOST_ACCOUNT_PORT=587 \
	-e LANPOST_ACCOUNT_TLS_CA_FILE=/ca.pem \
	-e LANPOST_ACCOUNT_USERNAME=scanner@contoso.test \
	-e LANPOST_ACCOUNT_PASSWORD_FILE=/run/secrets/password \
	$image >/dev/null
wait_for "lanpost to listen" logs_say "$name" ' listening '
[ "$(docker exec "$name" stat -c %u /proc/1)" = 1000 ] || fail "it runs as root"

echo "--- whoever comes through the published port may be anybody"
port=$(docker port "$name" 25/tcp | sed 's/.*://')
exec 3<>"/dev/tcp/127.0.0.1/$port"
read -r greeting <&3
exec 3<&-
case $greeting in 5*) ;; *) fail "the gateway was greeted: $greeting" ;; esac
wait_for "the reason" logs_say "$name" ' refused .*fix='

echo "--- an app says plain SMTP on port 25"
docker run --rm --network "$name" --entrypoint bash $image -c '
	exec 3<>/dev/tcp/lanpost/25
	say() { printf "%b\r\n" "$1" >&3; }
	hear() { read -r line <&3; [ "${line:0:3}" = "$1" ] || { echo "$line"; exit 1; }; }
	hear 220; say "HELO app"; hear 250
	say "MAIL FROM:<app@lan.test>"; hear 250
	say "RCPT TO:<boss@example.test>"; hear 250
	say DATA; hear 354
	say "Subject: from a container\r\n\r\nhello\r\n."; hear 250
	say QUIT; hear 221'
wait_for "the message" test -s "$folder/mail/new/000001.eml"
grep -q 'Subject: from a container' "$folder/mail/new/000001.eml"
grep -q '"from": "scanner@contoso.test"' "$folder/mail/new/000001.json"
wait_for "the log" logs_say "$name" ' delivered '
if logs "$name" | grep -qF "$password"; then fail "the password is in the log"; fi
docker stop -t 40 "$name" >/dev/null
[ "$(docker inspect -f '{{.State.ExitCode}}' "$name")" = 0 ] ||
	fail "it did not stop in peace"

echo "--- the sidecar of compose.yaml"
if docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null
then
	export LANPOST_PASSWORD_FILE=$folder/password
	compose up -d --build >"$folder/compose.log" 2>&1 ||
		{ cat "$folder/compose.log" >&2; fail "compose"; }
	app=$(compose ps -q app)
	wait_for "the app to be greeted" logs_say "$app" 'greeted: 220 '
	logs "$app"
else
	echo "neither docker compose nor docker-compose is here: not tried"
fi
echo "docker.sh: all is well; the image has" \
	"$(($(docker image inspect -f '{{.Size}}' $image) / 1000000)) MB"
