"""What a rented machine is sent so that it comes to life: the boot script, and our own code as an archive."""
