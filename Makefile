# Everything a user or a developer types. `make help` lists it.
.DEFAULT_GOAL := help
INSTALLED := node_modules/.package-lock.json
SOURCES := $(shell find cmd internal pkg -name '*.ts' -not -name '*.test.ts') package-lock.json tsup.config.ts
NPM := npm --no-fund --no-audit --no-update-notifier --loglevel=error

.PHONY: help run build install test test-setup lint format bench certs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

run: build ## Install, build and start the broker on its defaults (ARGS="-address :1884" for flags)
	@exec ./bin/broker $(ARGS)

build: dist/.built ## Install what is needed and write bin/broker, bin/publisher, bin/subscriber, bin/tinymq, bin/smq, bin/dashmq

install: build ## Put the programs on your PATH, as links to this folder
	@$(NPM) install --silent --global .

test-setup: ## Install by apt-get what some tests try: kcat, mosquitto's clients and Chromium
	@sh test/setup.sh

test: build lint ## Install, build, lint and run every test (FUZZ_SECONDS=600 for a long fuzz run)
	@$(NPM) run --silent test

lint: $(INSTALLED) ## Types, linter, formatter and the import rule
	@$(NPM) run --silent lint

format: $(INSTALLED) ## Put every file into the project's format
	@$(NPM) run --silent format

bench: build ## Compare speed with the peers on this machine (CASES=name,name ROUNDS=5)
	@$(NPM) run --silent bench

certs: $(INSTALLED) ## Make development certificates in certs/out (ARGS=-force for new ones)
	@$(NPM) run --silent certs -- $(ARGS)

clean: ## Remove everything that was installed, built or generated
	rm -rf node_modules dist bin coverage certs/out bench/results

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
