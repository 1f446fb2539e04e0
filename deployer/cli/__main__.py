"""`python -m deployer.cli`, where the `deployer` script is not on the PATH."""

from deployer.cli import main

main()
