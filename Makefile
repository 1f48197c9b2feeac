# Keyferry: `make demo` and `make test` do the set-up that is missing by themselves.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-tests build demo test test-clients check lint models bench devices native native-asan native-leak simulate mutations fuzz soak clean

help: ## what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: softhsm2 and libnss3, npm packages; build the console's pages
	@scripts/setup.sh
	@node scripts/build_console.mjs

setup-tests: ## what the tests use besides: clients of others, a browser, further tokens
	@scripts/setup.sh --tests

build: setup
	@node scripts/build_native.mjs
	@node_modules/.bin/tsc -p .

demo: build ## replicate a multi-Region key between two tokens and tell the story
	@node bin/keyferry.js demo

test: setup-tests build ## all tests; ends with "N passed, N failed"
	@node scripts/test.mjs

test-clients: setup-tests build ## only the tests with clients of others (AWS SDK, AWS CLI, boto3, …), in every version that is installed
	@KEYFERRY_FURTHER_CLIENTS=1 node scripts/test.mjs --only /clients/

check: build lint models ## lint, floors, formatting, the protocol's model and its mutants

lint: build
	@node_modules/.bin/oxlint --quiet
	@node_modules/.bin/tsc -p src/console/web
	@node_modules/.bin/prettier --check --log-level warn 'src/**/*.{ts,tsx,css}' 'test/**/*.ts' 'scripts/**/*.mjs'

models: setup-tests ## the crash model in spin, and every mutant of it refuted
	@scripts/models.sh

bench: build ## token calls in C against jobs, the AWS endpoint against bare HTTP, imports, replications
	@node scripts/bench.mjs

devices: setup-tests build ## validate the modules of docs/DEVICES.md, and write that page anew
	@node scripts/devices.mjs

native: ## build the addon
	@node scripts/build_native.mjs

native-asan: build ## the job engine under the address sanitizer
	@node scripts/native_check.mjs --asan

native-leak: build ## the job engine under valgrind, 100,000 jobs
	@node scripts/native_check.mjs --valgrind

simulate: build ## 100,000 hostile schedules of the replication protocol
	@node scripts/simulate.mjs --count 100000

mutations: build ## 10,000 changed import tokens, blobs and requests on each token
	@node scripts/mutations.mjs

fuzz: build ## 100,000 requests that nobody would write to the AWS endpoint: no 500, no crash, no growth
	@node scripts/fuzz_aws.mjs --count 100000

soak: build ## 32 clients for three minutes in a lab that fails meanwhile: nothing acknowledged is lost, nothing wrong is answered
	@node scripts/soak.mjs

clean: ## remove what was built
	@rm -rf dist build
