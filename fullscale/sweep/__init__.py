"""Many runs: what is there, what is missing, what it costs, and engines that do it."""
