# Everything a user or a developer types. `make help` lists it.
.DEFAULT_GOAL := help
INSTALLED := node_modules/.package-lock.json
SOURCES := $(shell find cmd internal pkg -name '*.ts' -not -name '*.test.ts') package-lock.json tsup.config.ts
# An install of this folder by `npm install -g .` builds it too; what that says of itself is not for the npm in here.
NPM := env -u npm_config_global -u npm_config_location -u npm_config_prefix -u npm_config_local_prefix \
	npm --no-fund --no-audit --no-update-notifier --loglevel=error

.PHONY: help run build test lint format bench certs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: build ## Install, build and start the broker on its defaults (ARGS="-address :1884" for flags)
	@exec ./bin/broker $(ARGS)

build: dist/.built ## Install what is needed and write bin/broker, bin/publisher, bin/subscriber, bin/tinymq, bin/smq, bin/dashmq

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

# Where npm notes what it installed. The prepare script of package.json comes here too and must not begin again.
$(INSTALLED): package.json package-lock.json
	@echo 'Installing what is needed (once) …'
	@TINYMQ_INSTALLING=1 $(NPM) ci --silent
	@touch $@

dist/.built: $(SOURCES) | $(INSTALLED)
	@rm -f $@
	@$(NPM) run --silent build
