/** Names of this machine for itself, as `NO_PROXY` has them. */
const loopback = ['localhost', '127.0.0.1', '[::1]'];

/** What `NO_PROXY` has to be so that no proxy is asked for this machine itself, of which it could only reach its own. */
export function noProxy(environment: NodeJS.ProcessEnv): string {
  // as curl has it: the lower-case name counts first
  const own = environment['no_proxy'] ?? environment['NO_PROXY'] ?? '';
  const words = own.split(/[,\s]+/).filter((word) => word !== '');
  return words.includes('*') ? '*' : [...words, ...loopback.filter((name) => !words.includes(name))].join(',');
}

/**
 * The variables with which programs of all kinds ask no proxy for this machine itself; none where no proxy is named.
 * Nx's own client reads them (measured: else it looks for a server on loopback behind the proxy, and fails the run).
 */
export function noProxyVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  const named = ['http_proxy', 'https_proxy', 'all_proxy'].some(
    (name) => (environment[name] ?? environment[name.toUpperCase()] ?? '') !== '',
  );
  const value = noProxy(environment);
  return named ? { no_proxy: value, NO_PROXY: value } : {};
}

/** The proxy that an environment names for a kind of addresses, as an address; undefined where it names none that is one. */
export function proxyFor(scheme: 'http' | 'https', environment: NodeJS.ProcessEnv): string | undefined {
  const name = `${scheme}_proxy`;
  const text = environment[name] ?? environment[name.toUpperCase()] ?? '';
  // curl takes it without a scheme, so people write it without
  const url = /^[a-z0-9]+:\/\//i.test(text) ? text : `http://${text}`;
  return text !== '' && URL.canParse(url) ? url : undefined;
}
