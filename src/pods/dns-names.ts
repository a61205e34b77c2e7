/**
 * The names under which a host may be found, as resolv.conf(5) says: `search` and `ndots`. Node's resolver asks for
 * exactly the name that it is given.
 *
 * Must not know how a name is asked for.
 */

const searchMax = 32;

/** Full names, without the final dot, in the order in which they are to be tried. */
export function candidateNames(host: string, resolvConf: string): readonly string[] {
  if (host.endsWith('.')) return [host.slice(0, -1)];
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of resolvConf.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    // The last of these lines counts.
    if (keyword === 'search' || keyword === 'domain') search = words.slice(0, searchMax);
    if (keyword !== 'options') continue;
    const given = words.map((word) => /^ndots:(\d{1,2})$/.exec(word)?.[1]).find((digits) => digits !== undefined);
    if (given !== undefined) ndots = Math.min(Number(given), 15);
  }
  const searched = search.map((domain) => `${host}.${domain.replace(/\.$/, '')}`).filter((name) => !name.endsWith('.'));
  const isLong = host.split('.').length - 1 >= ndots;
  return isLong ? [host, ...searched] : [...searched, host];
}
