/** How long everything takes: the environment's say, and the shares of it that each part has. */

/** QUICK=1 is for a look while one works; its figures are for nobody else. */
export const quick = (process.env['QUICK'] ?? '') !== '';

/** ROUNDS and SECONDS, for the part that is measured most often; the other parts have fewer. */
export const rounds = positive('ROUNDS', quick ? 3 : 7);
export const seconds = positive('SECONDS', quick ? 1 : 2);

/** @throws Error where the environment has something else than a whole number from 1 on. */
function positive(name: string, fallback: number): number {
  const given = process.env[name];
  if (given === undefined || given === '') return fallback;
  if (!/^[1-9]\d{0,3}$/.test(given)) throw new Error(`${name}=${given} is not a number from 1 to 9999`);
  return Number(given);
}
