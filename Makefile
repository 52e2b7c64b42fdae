# Everything a user or a developer types. `make help` lists it.
.DEFAULT_GOAL := help
INSTALLED := node_modules/.package-lock.json
SOURCES := $(shell find cmd internal pkg -type f -not -name '*.md' -not -name '*.test.ts') package-lock.json tsup.config.ts
NPM := npm --no-fund --no-audit --no-update-notifier --loglevel=error

VITEST := PATH="$(CURDIR)/node_modules/node/bin:$$PATH" node_modules/.bin/vitest run
# What `make torture` repeats: brokers and stores that are killed or compared with a model.
TORTURED := test/mqtt/kill test/kafka/crash test/kafka/group-restart test/faults/log-compaction \
	test/grpc/smq-program test/access/rules test/faults/conversion test/faults/every-door-killed test/faults/frames-kill internal/store internal/log/compaction \
	internal/cluster

.PHONY: help run dev build single-file release install check unit test test-mqtt test-kafka test-grpc test-interop fuzz torture torture-store torture-cluster torture-clients test-setup \
	lint format bench screenshots certs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

run: build ## Install, build and start the broker on its defaults (ARGS="-address :1884" for flags)
	@exec ./bin/broker $(ARGS)

dev: $(INSTALLED) ## Start the broker and its page from their source, and again at each change (ARGS="-address :1884" for flags)
	@$(NPM) run --silent page
	@$(NPM) run --silent page -- --watch internal/page & page=$$!; trap 'kill $$page' EXIT; \
		node_modules/.bin/node --watch --watch-preserve-output cmd/broker/main.ts $(ARGS)

build: dist/.built ## Install what is needed and write bin/broker, bin/publisher, bin/subscriber, bin/tinymq, bin/smq, bin/dashmq

single-file: build ## Write all programs as one executable file, with links to it, into release/single-file
	@node_modules/.bin/node cmd/release/single-file.ts release/single-file

release: $(INSTALLED) ## Write what is given to others into release/, from the commit with the tag of its version (ARGS=--untagged to try it)
	@node_modules/.bin/node cmd/release/main.ts $(ARGS)

install: build ## Put the programs on your PATH, as links to this folder
	@$(NPM) install --silent --global .

test-setup: ## Install by apt-get what some tests try: kcat, mosquitto's clients, Chromium, buildah
	@sh test/setup.sh

check: $(INSTALLED) ## Check types, format, lint rules and imports
	@$(NPM) run --silent lint

lint: check

unit: $(INSTALLED) ## Run the tests that need no process of their own (FILES=internal/log for some)
	@$(VITEST) --project unit $(FILES)

test: $(INSTALLED) ## Install, build, check and run every test (FILES=test/mqtt for some)
	@$(MAKE) --no-print-directory --jobs=2 build check
	@$(VITEST) $(FILES)

test-mqtt: build ## Run the tests of MQTT
	@$(VITEST) mqtt

test-kafka: build ## Run the tests of Kafka, without its clients
	@$(VITEST) kafka internal/groups internal/batch

test-grpc: build ## Run the tests of gRPC, HTTP/2 and SMQ
	@$(VITEST) grpc http2 smq

test-interop: build ## Run the clients of others: installs what they need, once
	@$(VITEST) test/interop test/mqtt/interop test/mqtt/mosquitto-bridge test/mqtt/browser test/grpc/clients test/grpc/h2spec

fuzz: build ## Run the fuzz tests for FUZZ_SECONDS each (600; FUZZ_SEED=n repeats a run)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(VITEST) fuzz mutants

torture: build ## Kill brokers and stores TORTURE times as often as make test does (10)
	@TORTURE=$${TORTURE:-10} $(VITEST) $(TORTURED)

torture-store: build ## Kill a broker whose doors all write CYCLES times (1000) with each store and each -fsync: hours
	@TORTURE=$$(($${CYCLES:-1000} / 2)) $(VITEST) test/faults/every-door-killed

torture-cluster: build ## Kill and stop the brokers and NATS servers of a cluster FAULTS times (100), and owners of a shard half as often
	@TORTURE=$$((($${FAULTS:-100} + 9) / 10)) $(VITEST) test/cluster/kills test/cluster/fence test/cluster/kafka-answers

torture-clients: build ## Try every client of Kafka's on a cluster of which a node is killed: half an hour
	@TORTURE=$${TORTURE:-2} $(VITEST) test/cluster/kafka-clients

format: $(INSTALLED) ## Put every file into the project's format
	@$(NPM) run --silent format

bench: build ## Compare speed with the peers on this machine (CASES=name,name ROUNDS=5)
	@$(NPM) run --silent bench

screenshots: build ## Make the pictures of the documentation anew, with the system's Chromium
	@node_modules/.bin/node test/page/screenshots.ts

certs: $(INSTALLED) ## Make development certificates in certs/out (ARGS=-force for new ones)
	@$(NPM) run --silent certs -- $(ARGS)

clean: ## Remove everything that was installed, built or generated
	rm -rf node_modules dist bin coverage certs/out bench/results release

# Where npm notes what it installed.
$(INSTALLED): package.json package-lock.json
	@echo 'Installing what is needed (once): about 400 MB, a minute or so …'
	@while sleep 10 >/dev/null 2>&1 && kill -0 $$$$ 2>/dev/null; do \
		echo "  $$(du -sm node_modules 2>/dev/null | cut -f1) MB are there"; done & progress=$$!; \
		$(NPM) ci --silent; status=$$?; kill $$progress; exit $$status
	@touch $@

dist/.built: $(SOURCES) | $(INSTALLED)
	@rm -f $@
	@$(NPM) run --silent build
	@touch $@
