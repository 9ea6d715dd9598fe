#!/bin/sh
# Make the topics and consumer groups of a venue, once; again for each gateway that is added. Run where RocketMQ's tools are.
#     make-topics.sh BROKER:PORT VENUE GATEWAYS
set -eu
broker=$1
venue=$2
gateways=$3

for topic in "onseju-orders-$venue" "onseju-executions-$venue"; do
    sh mqadmin updateTopic -b "$broker" -t "$topic" -r 4 -w 4 -a +message.type=NORMAL
done
# RocketMQ's own 16 deliveries would put a message aside for good that was not acknowledged so often: lost, for us
sh mqadmin updateSubGroup -b "$broker" -g "onseju-exchange-$venue" -r 1000000
gateway=1
while [ "$gateway" -le "$gateways" ]; do
    sh mqadmin updateSubGroup -b "$broker" -g "onseju-gateway-$venue-$gateway" -r 1000000
    gateway=$((gateway + 1))
done
