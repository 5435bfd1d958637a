import sys

from dexportal.run.portal import main

sys.exit(main(sys.argv[1:]))
