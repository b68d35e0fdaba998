# The library: the file under test comes with the test.
omit_conf = src/lib/conf.c
omit_addr = src/lib/addr.c
libs_forwarder_batch = -lyajl
extra_forwarder_queue = src/forwarder/batch.c src/forwarder/line.c
libs_forwarder_queue = -lyajl
libs_forwarder_reply = -lyajl
extra_forwarder_deliver = src/forwarder/queue.c src/forwarder/batch.c src/forwarder/line.c src/forwarder/backoff.c
libs_forwarder_deliver = -lyajl
libs_forwarder_settings = -lcurl
