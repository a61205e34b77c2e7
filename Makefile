# Every way to build, test and show Holdfast. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The tools of the lock file, Node itself included, come before those of the machine.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

test_packages := php-cli php-laravel-framework redis-server openssl curl libfaketime prometheus \
  php-symfony-framework-bundle php-fpm nginx-light libnginx-mod-stream haproxy libapache2-mod-php \
  python3-django python3-flask python3-flask-session python3-cachelib gunicorn python3-uvicorn python3-h11 python3-httptools \
  tomcat10-common openjdk-17-jre-headless
# Only where the Kubernetes suite will run: images are built, and the cluster's program needs the rest.
kubernetes_packages := $(if $(HOLDFAST_KUBE)$(KUBECONFIG),buildah debootstrap) \
  $(if $(HOLDFAST_KUBE),etcd-server runc containernetworking-plugins nftables iptables conntrack iproute2 xz-utils openssl curl)
bench_packages := nginx-light haproxy caddy redis-server wrk curl openssl python3-venv librsvg2-bin

.PHONY: help install tools check types lint format fix test kubernetes helm-test differential fuzz model chaos frameworks docs demo bench bench-docs bench-page bench-attacks bench-keeper image-test

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

install: ## the packages of the lock file, where they are not there yet
	@cmp -s package-lock.json node_modules/.installed-lock || { \
	  echo 'installing the packages of package-lock.json'; \
	  npm ci --no-audit --no-fund --loglevel=error; }

tools: ## the programs that the tests start: PHP, Laravel, Redis
	@.ci/tools $(test_packages) $(kubernetes_packages)

check: install types lint format ## types, lint and format

types: install
	@echo 'types'; tsc --noEmit

lint: install
	@echo 'lint'; eslint --max-warnings=0 .

format: install
	@echo 'format'; prettier --check --log-level=warn .

fix: install ## mend what lint and format can mend themselves
	@prettier --write --log-level=warn .; eslint --fix .

# Hundreds of processes are started: compiled once, each needs half the time to begin.
test: export NODE_COMPILE_CACHE := $(CURDIR)/node_modules/.cache/compiled
test: install tools check ## everything: types, lint, format and all tests; the Kubernetes suite where there is a cluster
	@node --test --test-concurrency=2 --test-timeout=600000 'test/!(kubernetes)/**/*.test.ts'
	@node test/kubernetes/run.ts

kubernetes: install ## the Kubernetes suite alone: HOLDFAST_KUBE=PROGRAM or KUBECONFIG=FILE; ONLY=part of a name, FILES
	@.ci/tools $(kubernetes_packages)
	@node test/kubernetes/run.ts $(FILES) $(if $(ONLY),--only "$(ONLY)")

# 3.22 asks for no newer Go than 1.26. Compiled from the Go module proxy: five minutes of one core, so it is no part of `make test`.
helm-test: install ## the Helm chart beside the overlays, in a cluster: HOLDFAST_KUBE or KUBECONFIG; gets Helm by Go where it is missing
	@.ci/tools $(kubernetes_packages); helm=$$(command -v helm || true); [ -n "$$helm" ] || { helm=$(CURDIR)/tmp/helm/helm; \
	  [ -x "$$helm" ] || { command -v go > /dev/null || { echo 'needs helm, or go to build it' >&2; exit 1; }; \
	  CGO_ENABLED=0 GOBIN=$(CURDIR)/tmp/helm go install -trimpath -ldflags '-s -w' helm.sh/helm/v3/cmd/helm@v3.22.0; }; }; \
	  HELM="$$helm" node test/kubernetes/run.ts test/kubernetes/helm-chart.ts

differential: install ## every byte stream before every reader; COUNT=n more by chance, SEED, READER, CHAIN=1 behind a sidecar
	@.ci/tools $(test_packages)
	@node test/differential/run.ts $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED)) $(if $(READER),--reader "$(READER)") $(if $(CHAIN),--chain)

fuzz: install ## whatever reads strangers' bytes, for SECONDS=n (an hour); TARGET, SEED; INPUT=file runs one input again
	@node test/fuzz/run.ts $(if $(TARGET),--target $(TARGET)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(INPUT),--input $(INPUT))

chaos: install ## faults by the hundred under load; SEED=n does one round again; KILLS, MINUTES, FAULTS, APPLICATION
	@.ci/tools $(test_packages)
	@node test/checker/chaos.ts $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS)) $(if $(MINUTES),--minutes $(MINUTES)) \
	  $(if $(FAULTS),--faults $(FAULTS)) $(if $(APPLICATION),--application $(APPLICATION))

frameworks: install tools ## the newest Laravel and CodeIgniter, by Composer or from COMPOSER_VENDOR=<its vendor directory>
	@vendor="$(COMPOSER_VENDOR)"; [ -n "$$vendor" ] || { .ci/tools composer; mkdir -p tmp/frameworks; \
	  composer require --quiet --no-interaction --working-dir=tmp/frameworks laravel/framework codeigniter4/framework; \
	  vendor=$(CURDIR)/tmp/frameworks/vendor; }; \
	COMPOSER_VENDOR="$$vendor" node --test test/frameworks/composer-frameworks.ts

model: install ## the ownership protocol: every state of every configuration (minutes)
	@node --max-old-space-size=6144 test/model/run.ts

docs: install ## write the pages again that come from tables
	@node test/support/write-docs.ts

demo: install ## the story in 20 seconds: a pod is killed, the session goes on
	@.ci/tools php-cli php-laravel-framework
	@node examples/demo/demo.ts

image-test: ## the image: built, then run as it will be (root; buildah, debootstrap)
	@manifests/image/check

bench: install ## beside other proxies: processor time, latency, memory, bodies, growth (15 minutes; QUICK=1 for a look)
	@.ci/tools $(bench_packages)
	@node bench/run.ts

bench-docs: install ## the same with nothing else running, into docs/benchmarks.md and its plots
	@.ci/tools $(bench_packages)
	@node bench/run.ts --results docs/benchmarks/results.json
	@node bench/page/write.ts

bench-page: install ## docs/benchmarks.md and its plots again from docs/benchmarks/results.json
	@node bench/page/write.ts

bench-attacks: install ## what attackers cost: memory, and the waiting of normal users meanwhile; ONLY=part of a name
	@ulimit -n $$(ulimit -Hn); node bench/attacks.ts

bench-keeper: install ## what a kept session costs, beside the same request without the keeper
	@.ci/tools redis-server wrk
	@node bench/keeper.ts
