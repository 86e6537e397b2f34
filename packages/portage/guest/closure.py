"""Finds out which packages a package may see while it is built: what it declares, what that needs, and the C library."""

from collections.abc import Iterable

# What no ebuild of Gentoo's has to declare (Gentoo's development guide, "Implicit system dependencies").
IMPLICIT_FOR_SYSTEM = ("virtual/libc", "virtual/os-headers")


class Closures:
    """Answers for one layer: its packages and those of its parents, in the order in which they are merged."""

    def __init__(self, packages: list[dict], system: Iterable[str]) -> None:
        """
        :param packages: the parents' packages that stay, then the layer's, each as a plan has them
        :param system: the atoms of the profile's @system
        """
        self.packages = {package["cpv"]: package for package in packages}
        self.order = {cpv: index for index, cpv in enumerate(self.packages)}
        self.direct = {cpv: self._direct(package) for cpv, package in self.packages.items()}
        members = {cpv for atom in system for cpv in self._matching(atom)}
        libraries = {cpv for name in IMPLICIT_FOR_SYSTEM for cpv in self._matching(name)} & members
        self.system = self._reach(members, ("RDEPEND",))
        self.libraries = self._reach(libraries, ("RDEPEND",))
        # what @system itself is made of cannot be built with all of @system
        self.below_system = self._reach(members, ("RDEPEND", "DEPEND"))
        self.below_libraries = self._reach(libraries, ("RDEPEND", "DEPEND"))

    def of(self, cpv: str) -> list[str]:
        """The packages that have to be in ROOT when this one is built, in their order."""
        declared = self.direct[cpv]
        needed = self._reach(declared["DEPEND"] | declared["RDEPEND"], ("RDEPEND",))
        # within a cycle (PMS allows one of run-time dependencies) the order of merging decides
        needed = {other for other in needed if self.order[other] < self.order[cpv]}
        if cpv not in self.below_system:
            needed |= self.system
        elif cpv not in self.below_libraries:
            needed |= self.libraries
        needed.discard(cpv)
        return sorted(needed, key=self.order.__getitem__)

    def to_run(self, atoms: Iterable[str]) -> list[str]:
        """The packages that some atoms name, and all that those need to run, in the order in which they are merged."""
        named = {cpv for atom in atoms for cpv in self._matching(atom)}
        return sorted(self._reach(named, ("RDEPEND", "PDEPEND")), key=self.order.__getitem__)

    def _reach(self, start: Iterable[str], kinds: tuple[str, ...]) -> set[str]:
        found: set[str] = set()
        rest = list(start)
        while rest:
            cpv = rest.pop()
            if cpv not in found:
                found.add(cpv)
                rest.extend(other for kind in kinds for other in self.direct[cpv][kind])
        return found

    def _direct(self, package: dict) -> dict[str, set[str]]:
        from portage.dep import use_reduce

        direct = {}
        for kind in ("DEPEND", "RDEPEND", "PDEPEND"):
            text = package["dependencies"].get(kind, "")
            reduced = use_reduce(text, uselist=package["use"], eapi=package["eapi"])
            direct[kind] = self._choose(reduced)
        return direct

    def _choose(self, node: list) -> set[str]:
        """The packages that satisfy a reduced dependency; of alternatives, the first that is there as a whole."""
        found: set[str] = set()
        index = 0
        while index < len(node):
            part = node[index]
            if part == "||":
                index += 1
                found |= self._first(node[index])
            elif isinstance(part, list):
                found |= self._choose(part)
            elif not part.startswith("!"):
                found |= self._matching(part)
            index += 1
        return found

    def _first(self, alternatives: list) -> set[str]:
        index = 0
        while index < len(alternatives):
            part = alternatives[index]
            if part == "||":
                index += 1
                group = self._first(alternatives[index])
                whole = bool(group)
            else:
                parts = part if isinstance(part, list) else [part]
                group = self._choose(parts)
                whole = all(isinstance(inner, list) or inner == "||" or self._matching(inner) for inner in parts)
            if whole and group:
                return group
            index += 1
        return set()

    def _matching(self, text: str) -> set[str]:
        from portage.dep import Atom, match_from_list

        atom = Atom(text.lstrip("!"), allow_wildcard=True, allow_repo=True)
        here = [cpv for cpv in self.packages if self._name(cpv) == atom.cp]
        if not here:
            return set()
        slotted = atom.without_use
        return {str(found) for found in match_from_list(slotted, [self._described(cpv) for cpv in here])}

    def _name(self, cpv: str) -> str:
        package = self.packages[cpv]
        return f"{package['category']}/{package['pn']}"

    def _described(self, cpv: str) -> "portage.versions._pkg_str":
        from portage.versions import _pkg_str

        package = self.packages[cpv]
        return _pkg_str(cpv, slot=package["slot"], eapi=package["eapi"], repo=package["repository"])
