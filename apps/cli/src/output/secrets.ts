/** A shorter secret would be found in ordinary words; then the text would be spoiled and the secret hinted at. */
const SHORTEST = 6

const secrets = new Set<string>()

/** Remembers a secret that this process has read, so that no output can hold it whatever goes wrong. Returns it. */
export function keepSecret(secret: string): string {
	if (secret.length >= SHORTEST) {
		secrets.add(secret)
		secrets.add(encodeURIComponent(secret))
		secrets.add(JSON.stringify(secret).slice(1, -1))
	}
	return secret
}

/** The text without any remembered secret. The last line of defence: nothing should hold one in the first place. */
export function withoutSecrets(text: string): string {
	let clean = text
	for (const secret of secrets) clean = clean.replaceAll(secret, '***')
	return clean
}
