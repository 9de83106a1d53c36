package main

// Windows has no time zones that Go can read, and schedules may name one: 450 KB of the program. Other systems have them.
import _ "time/tzdata"
