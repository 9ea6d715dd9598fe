"""What a process is made of, and the processes of a venue on many machines."""
