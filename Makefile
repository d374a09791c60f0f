# The two commands: `make demo` brings up a cloud, the service and a cluster; `make test` runs every test.
SHELL := /bin/bash
.DEFAULT_GOAL := help

help:            ## what there is to make
	@sed -nE 's/^([a-z-]+): [^#]*## (.*)/  make \1\t\2/p;s/^([a-z-]+):  +## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup:           ## install what building and testing need (apt, as root or with sudo)
	@tests/setup

build: setup     ## the release binary
	cargo build --release --locked

demo: setup      ## a real Keystone and Heat, the service, and a first cluster by `openstack coe`
	@tests/demo/run

stop:            ## end everything `make demo` or `make cloud-up` started
	@tests/demo/stop
	@tests/cloud/down

cloud-up: setup  ## only the cloud: real Keystone, Heat and Barbican
	@tests/cloud/up lite

cloud-down:      ## end the cloud
	@tests/cloud/down

test: setup      ## every test
	@tests/run

lint: setup      ## formatting, clippy, docs, shellcheck, dependencies
	@tests/lint

fmt:             ## format the code
	cargo fmt --all

.PHONY: help setup build demo stop cloud-up cloud-down test lint fmt
