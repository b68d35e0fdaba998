libs_forwarder_reply = -lyajl
libs_forwarder_batch = -lyajl
extra_config = src/sensor/options.c
