// A strict S3 for the judges: prints its address and keys in one line, and serves until it is stopped.
import { startS3Server } from '../../../../test/object-stores/src/s3/server.ts'

const { endpoint, credential } = await startS3Server()
console.log(`${endpoint.replace('http://', '')} ${credential.accessKeyId} ${credential.secretAccessKey}`)
