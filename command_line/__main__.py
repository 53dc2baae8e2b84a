"""``python -m command_line``: lists the commands of this folder, or runs one."""

from console.rooms import main

if __name__ == "__main__":
    main("command_line")
