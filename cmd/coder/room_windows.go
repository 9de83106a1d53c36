package main

import "golang.org/x/sys/windows"

// freeRoom is how much the user may still write to the disk of a folder, in bytes.
func freeRoom(dir string) (free uint64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	return free, windows.GetDiskFreeSpaceEx(path, &free, nil, nil)
}
