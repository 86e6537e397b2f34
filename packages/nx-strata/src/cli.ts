#!/usr/bin/env node
console.log('strata');
