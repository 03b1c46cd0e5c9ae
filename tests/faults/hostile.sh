#!/bin/sh
# Clumsy and hostile clients beside a good one. See hostile.c.
exec "$PADDOCK_FAULTS/hostile"
