# Everything a user or a developer types. `make help` lists it.
.DEFAULT_GOAL := help
SOURCES := $(shell find cmd internal pkg -name '*.ts' -not -name '*.test.ts') package-lock.json tsup.config.ts
NPM := npm --no-fund --no-audit --no-update-notifier --loglevel=error

.PHONY: help run build test lint format bench certs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: build ## Install, build and start the broker on its defaults (ARGS="-address :1884" for flags)
	@exec ./bin/broker $(ARGS)

build: dist/.built ## Install what is needed and write bin/broker, bin/publisher, bin/subscriber

test: build lint ## Install, build, lint and run every test (FUZZ_SECONDS=600 for a long fuzz run)
	@$(NPM) run --silent test

lint: node_modules/.installed ## Types, linter, formatter and the import rule
	@$(NPM) run --silent lint

format: node_modules/.installed ## Put every file into the project's format
	@$(NPM) run --silent format

bench: build ## Compare speed with the peers on this machine (CASES=name,name ROUNDS=5)
	@$(NPM) run --silent bench

certs: node_modules/.installed ## Make development certificates in certs/out (ARGS=-force for new ones)
	@$(NPM) run --silent certs -- $(ARGS)

clean: ## Remove everything that was installed, built or generated
	rm -rf node_modules dist bin coverage certs/out bench/results

# npm runs the build itself after an install (the prepare script), so the build below often has nothing left to do.
node_modules/.installed: package.json package-lock.json
	@echo 'Installing what is needed (once) …'
	@$(NPM) ci --silent
	@touch $@

dist/.built: $(SOURCES) | node_modules/.installed
	@$(NPM) run --silent build
