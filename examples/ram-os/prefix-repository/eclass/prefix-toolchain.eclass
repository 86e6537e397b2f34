# Copyright 2026 The Strata authors
# Distributed under the terms of the MIT License

# @ECLASS: prefix-toolchain.eclass
# @BLURB: where the toolchain that builds a prefix keeps the C library and the compiler's libraries for CHOST
# @DESCRIPTION:
# Nothing is compiled: what programs need to run and to be linked is taken from the root in which the ebuild runs. That root
# is pinned and is part of the key of every build, so a new C library there is a new package here. The programs are told of
# the new place when they are linked (--dynamic-linker and -rpath), so the files themselves stay as they are.

# @FUNCTION: prefix-toolchain_triplet
# @DESCRIPTION: the machine of CHOST, as Debian calls it
prefix-toolchain_triplet() {
	case ${CHOST} in
		x86_64-*) echo x86_64-linux-gnu ;;
		aarch64-*) echo aarch64-linux-gnu ;;
		*) die "${CHOST} is not known to ${ECLASS}" ;;
	esac
}

# @FUNCTION: prefix-toolchain_loader
# @DESCRIPTION: the name of the dynamic loader
prefix-toolchain_loader() {
	case ${CHOST} in
		x86_64-*) echo ld-linux-x86-64.so.2 ;;
		aarch64-*) echo ld-linux-aarch64.so.1 ;;
	esac
}

# @FUNCTION: prefix-toolchain_libdir
# @DESCRIPTION: the folder of libraries for CHOST: the system's own, or a cross compiler's
prefix-toolchain_libdir() {
	local triplet=$(prefix-toolchain_triplet) folder
	for folder in "/usr/lib/${triplet}" "/usr/${triplet}/lib"; do
		if [[ -e ${folder}/libc.so.6 ]]; then
			echo "${folder}"
			return
		fi
	done
	die "the toolchain has no C library for ${CHOST}"
}

# @FUNCTION: prefix-toolchain_libc_libs
# @DESCRIPTION: the names of the C library's shared objects
prefix-toolchain_libc_libs() {
	prefix-toolchain_loader
	printf '%s\n' libc.so.6 libm.so.6 libresolv.so.2 libdl.so.2 libpthread.so.0 librt.so.1 libutil.so.1 libanl.so.1
	[[ ${CHOST} == x86_64-* || ${CHOST} == aarch64-* ]] && echo libmvec.so.1
	printf '%s\n' libnss_files.so.2 libnss_dns.so.2
}

# @FUNCTION: prefix-toolchain_dolibs
# @USAGE: <name>...
# @DESCRIPTION: installs shared objects of the toolchain under the names by which programs ask for them
prefix-toolchain_dolibs() {
	local folder=$(prefix-toolchain_libdir) name
	insinto "/usr/$(get_libdir)"
	insopts -m 0755
	for name in "$@"; do
		[[ -e ${folder}/${name} ]] || die "the toolchain has no ${folder}/${name}"
		newins "$(readlink -f "${folder}/${name}")" "${name}"
	done
	insopts -m 0644
}

# @FUNCTION: prefix-toolchain_forget_loader
# @USAGE: <library>
# @DESCRIPTION: glibc's libc.so.6 is a program, too: it prints its version by the system's loader. Only a library is wanted,
# so the entry of its loader is made one to be ignored (System V ABI, PT_INTERP to PT_NULL).
prefix-toolchain_forget_loader() {
	python3 - "${1}" <<-'EOF' || die
		import struct, sys
		with open(sys.argv[1], "r+b") as file:
		    data = file.read()
		    assert data[:5] == b"\x7fELF\x02", "64 bits are expected"
		    start, = struct.unpack_from("<Q", data, 32)
		    size, count = struct.unpack_from("<HH", data, 54)
		    for at in range(start, start + size * count, size):
		        if struct.unpack_from("<I", data, at) == (3,):
		            file.seek(at)
		            file.write(struct.pack("<I", 0))
	EOF
}
