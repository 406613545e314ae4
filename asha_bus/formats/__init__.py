"""Every byte that is written: the wire, the journal, the pipe, the space's JSON form."""
