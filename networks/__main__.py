"""``python -m networks``: lists the commands of this folder, or runs one."""

from console.rooms import main

if __name__ == "__main__":
    main("networks")
