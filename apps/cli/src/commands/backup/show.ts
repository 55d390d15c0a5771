import { activeHold, chainPlaces, listHolds, readProof, type Repository } from '@ydbackup/catalog'
import type { KeyProvider } from '@ydbackup/core'
import type { Manifest, Proof } from '@ydbackup/format'
import { YdbackupCommand } from '../../command.ts'
import { keyFlags, keysOfFlags } from '../../encryption/key-flags.ts'
import { shownBackup, shownChain, shownBackupText, type ShownBackup } from '../../report/shown-backup.ts'
import { optionalId, parseId } from '../../repository/backup-id.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'

/** The names of an encrypted backup stand where only its key leads. */
async function named(
	{ storage }: Repository,
	manifest: Manifest,
	keys: readonly KeyProvider[],
	signal: AbortSignal,
): Promise<Manifest> {
	const { createKeyring, openBackup } = await import('@ydbackup/engine')
	return (await openBackup(storage, manifest, createKeyring(keys, signal), signal)).manifest
}

/** With what a proof has counted; of most backups it says nothing that the manifest does not. */
async function counted(manifest: Manifest, proof: Proof | undefined): Promise<Manifest> {
	if (proof === undefined || proof.files.length === 0) return manifest
	return (await import('@ydbackup/engine')).withProof(manifest, proof)
}

export default class BackupShow extends YdbackupCommand {
	static override summary = 'show what a backup holds, when it was taken, and what it left out'
	static override examples = [
		'<%= config.bin %> <%= command.id %> latest --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --json',
	]
	static override args = { id: optionalId }
	static override flags = { ...repositoryFlags, ...keyFlags }

	async run(): Promise<ShownBackup> {
		const { args, flags } = await this.parse(BackupShow)
		const id = parseId(args.id)
		const { config, signal } = this
		await using opened = await openRepository({ config, repo: flags.repo, writable: false, signal })
		const { repository } = opened
		const stored = (await repository.read(id, { signal })).manifest
		const keys = keysOfFlags(flags)
		const proof = await readProof(repository.storage, stored, { signal })
		const manifest = keys.length === 0 ? await counted(stored, proof) : await named(repository, stored, keys, signal)
		const entries = await repository.list({ signal })
		const chain = shownChain(manifest.id, entries, chainPlaces(entries))
		const now = new Date()
		const hold = activeHold((await listHolds(repository.storage, { id: manifest.id, signal })).get(manifest.id), now)
		const shown = {
			...shownBackup(manifest, opened.location, chain, proof && new Date(proof.at)),
			...(hold && { hold: { until: hold.until, reason: hold.reason, at: hold.at } }),
		}
		this.show(flags, shownBackupText(shown, now))
		return shown
	}
}
