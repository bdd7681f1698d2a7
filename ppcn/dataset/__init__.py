"""Photo pairs, patch sets and super-resolution sets: how they are found, cut, split and stored."""
