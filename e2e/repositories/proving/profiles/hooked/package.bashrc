app-misc/marked hook
app-misc/other other
