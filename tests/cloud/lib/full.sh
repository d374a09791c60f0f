# shellcheck shell=bash
# The full cloud: real Nova, Placement, Neutron and Glance in RegionTwo, and a second Heat that uses them.

up_full() {
  fail "the full cloud is not there"
}
