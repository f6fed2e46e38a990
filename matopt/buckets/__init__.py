"""Object stores: a bucket as what a storage folder is, with a working copy of it on each machine."""
