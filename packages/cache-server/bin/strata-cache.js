#!/usr/bin/env node
// npm links commands when it installs, which in this repository is before anything is compiled
import '../dist/cli.js';
