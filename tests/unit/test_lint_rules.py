"""Our rules for templates: each lets a good template pass, and sees what is wrong in a bad one."""

import re

import pytest
from cfnlint.decode.cfn_yaml import loads
from cfnlint.helpers import load_plugins
from cfnlint.template import Template

from tests.conftest import ROOT

RULES = {rule.id: rule for rule in load_plugins(str(ROOT / "lint" / "rules"))}

# What every rule is content with. Each case below takes one thing away from it or puts one wrong.
GOOD = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  CdrSecretArn: {Type: String, Default: ""}
  CdrPassword: {Type: String, Default: "", NoEcho: true}
  ServiceTokenArn: {Type: String}
  TaskArn: {Type: String}
  Protection: {Type: String, Default: "false"}
Conditions:
  IsOn: !Not [!Equals [!Ref CdrSecretArn, ""]]
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      Auth:
        DefaultAuthorizer: People
        AddDefaultAuthorizerToCorsPreflight: false
        Authorizers: {People: {UserPoolArn: arn}}
      Cors: {AllowOrigin: "'https://viewer.example.org'"}
      OpenApiVersion: "2.0"
      AccessLogSetting: {DestinationArn: !GetAtt Logs.Arn}
      MethodSettings:
        - {ResourcePath: /*, HttpMethod: "*", ThrottlingRateLimit: 9, ThrottlingBurstLimit: 9}
  Asked:
    Type: AWS::Serverless::Function
    Condition: IsOn
    Properties:
      CodeUri: .
      Handler: app.lambda_handler
      Runtime: python3.13
      Timeout: 28
      Role: !GetAtt AskedRole.Arn
      LoggingConfig: {LogGroup: !Ref Logs}
      FunctionUrlConfig: {AuthType: AWS_IAM}
      Events:
        Ask: {Type: Api, Properties: {RestApiId: !Ref Api, Method: POST, Path: /Ask}}
  AskedRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - !If
          - IsOn
          - PolicyName: Work
            PolicyDocument:
              Statement:
                - {Effect: Allow, Action: lambda:InvokeFunction, Resource: !GetAtt Worker.Arn}
                - {Effect: Allow, Action: [xray:PutTraceSegments], Resource: "*"}
                - {Effect: Allow, Action: s3:GetObject, Resource: !Sub "arn:aws:s3:::${Scans}/*"}
                - {Effect: Deny, Action: s3:*, Resource: "*"}
                - {Effect: Allow, Action: datasync:StartTaskExecution, Resource: !Ref TaskArn}
                - {Effect: Allow, Action: ec2:DescribeNetworkInterfaces, Resource: "*"}
          - !Ref AWS::NoValue
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: app.lambda_handler
      Runtime: python3.13
      Timeout: 900
      Role: !GetAtt RoleOfWorker.Arn
      LoggingConfig: {LogGroup: !Ref Logs}
      Events:
        Tell: {Type: Api, Properties: {RestApiId: !Ref Api, Method: PUT, Path: /Tell}}
      EventInvokeConfig:
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Lost.Arn}}
  RoleOfWorker:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
  Changes:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Worker
      EventSourceArn: !GetAtt Slides.StreamArn
      StartingPosition: TRIM_HORIZON
      DestinationConfig: {OnFailure: {Destination: !GetAtt Lost.Arn}}
  Work:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Worker, EventSourceArn: !GetAtt Jobs.Arn}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 90}}
  Lost: {Type: AWS::SQS::Queue, Properties: {SqsManagedSseEnabled: true}}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      KmsMasterKeyId: alias/aws/sqs
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Lost.Arn, maxReceiveCount: 3}
  Alarms: {Type: AWS::SNS::Topic, Properties: {KmsMasterKeyId: alias/aws/sns}}
  Slides:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: RetainExceptOnCreate
    Properties:
      SSESpecification: {SSEEnabled: true}
      DeletionProtectionEnabled: !Ref Protection
  Files: {Type: AWS::EFS::FileSystem, Properties: {Encrypted: true}}
  Key:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy:
        Statement:
          - Effect: Allow
            Principal: {AWS: !Sub "arn:aws:iam::${AWS::AccountId}:root"}
            Action: kms:*
            Resource: "*"
  Scans:
    Type: AWS::S3::Bucket
    Properties:
      BucketEncryption: {ServerSideEncryptionConfiguration: [{BucketKeyEnabled: true}]}
      PublicAccessBlockConfiguration:
        BlockPublicAcls: true
        BlockPublicPolicy: true
        IgnorePublicAcls: true
        RestrictPublicBuckets: true
  ScansPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Scans
      PolicyDocument:
        Statement:
          - Effect: Deny
            Principal: "*"
            Action: s3:*
            Resource: [!GetAtt Scans.Arn, !Sub "${Scans.Arn}/*"]
            Condition: {Bool: {aws:SecureTransport: "false"}}
  GraphQL:
    Type: AWS::AppSync::GraphQLApi
    Properties: {AuthenticationType: AMAZON_COGNITO_USER_POOLS}
  Secret: {Type: AWS::SecretsManager::Secret, Properties: {SecretString: !Ref CdrPassword}}
  Key2: {Type: Custom::Key, Properties: {ServiceToken: !Ref ServiceTokenArn}}
  Written:
    Type: AWS::Logs::ResourcePolicy
    Properties:
      PolicyDocument: !Sub '{"Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents"}]}'
"""

ASKED_ROLE, WORKER_ROLE = "Role: !GetAtt AskedRole.Arn", "Role: !GetAtt RoleOfWorker.Arn"
KEPT = "{OnFailure: {Destination: !GetAtt Lost.Arn}}"
DENY = "Effect: Deny\n            Principal"
S3_EVENT = """Each: {Type: S3, Properties: {Bucket: !Ref Scans, Events: s3:ObjectCreated:*}}
        Ask: {Type: Api"""
DENIED = "Resource: [!GetAtt Scans.Arn, !Sub"

# The rule, what is replaced in GOOD, by what, and whom the rule then complains of.
CASES = [
    ("E9101", WORKER_ROLE, ASKED_ROLE, "Worker"),
    ("E9101", WORKER_ROLE, "Role: arn:aws:iam::123456789012:role/admin", "Worker"),
    ("E9101", WORKER_ROLE, "Policies: []", "Worker"),
    ("E9102", "RetentionInDays: 90", "LogGroupClass: STANDARD", "Logs"),
    ("E9102", "LoggingConfig: {LogGroup: !Ref Logs}", "Tags: {a: b}", "Asked"),
    ("E9102", "LogGroup: !Ref Logs", "LogGroup: /aws/lambda/asked", "Asked"),
    ("E9103", "OnFailure: {Type: SQS", "OnSuccess: {Type: SQS", "Worker"),
    ("E9103", f"DestinationConfig: {KEPT}", "BatchSize: 1", "Changes"),
    ("E9103", "RedrivePolicy:", "RedriveAllowPolicy:", "Work"),
    ("E9103", "Ask: {Type: Api", S3_EVENT, "Asked"),
    ("E9104", "DefaultAuthorizer: People", "ApiKeyRequired: true", "Api"),
    ("E9104", "Path: /Ask}", "Path: /Ask, Auth: {Authorizer: NONE}}", "Api"),
    ("E9104", "Path: /Tell}", "Path: /Tell, Auth: {Authorizer: NONE}}", "Api"),
    ("E9104", "AuthType: AWS_IAM", "AuthType: NONE", "AskedUrl"),
    ("E9104", "AMAZON_COGNITO_USER_POOLS", "API_KEY", "GraphQL"),
    ("E9105", "AuthType: AWS_IAM", "AuthType: NONE", "AskedUrlPublicPermissions"),
    ("E9105", "Key2: {Type: Custom::Key, Properties: {", "Let: {Type: AWS::Lambda::Permission, "
     "Properties: {Principal: s3.amazonaws.com, ", "Let"),
    ("E9106", "xray:PutTraceSegments", "xray:Put*", "AskedRole"),
    ("E9106", "Action: s3:GetObject", "NotAction: s3:GetObject", "AskedRole"),
    ("E9106", "logs:PutLogEvents", "logs:*", "Written"),
    ("E9106", "${AWS::AccountId}:root", "123456789012:root", "Key"),
    ("E9107", "Resource: !GetAtt Worker.Arn", 'Resource: "*"', "AskedRole"),
    ("E9107", "arn:aws:s3:::${Scans}/*", "arn:aws:s3:::*", "AskedRole"),
    ("E9107", "xray:PutTraceSegments", "sqs:SendMessage", "AskedRole"),
    ("E9107", "Resource: !GetAtt Worker.Arn", "NotResource: !GetAtt Worker.Arn", "AskedRole"),
    ("E9108", "BucketEncryption:", "Metadata:", "Scans"),
    ("E9108", "SSEEnabled: true", "SSEEnabled: false", "Slides"),
    ("E9108", "Encrypted: true", "Encrypted: !If [IsOn, true, !Ref AWS::NoValue]", "Files"),
    ("E9108", "SqsManagedSseEnabled: true", "DelaySeconds: 0", "Lost"),
    ("E9108", "KmsMasterKeyId: alias/aws/sns", "DisplayName: Alarms", "Alarms"),
    ("E9109", "RestrictPublicBuckets: true", "RestrictPublicBuckets: false", "Scans"),
    ("E9109", DENY, DENY.replace("Deny", "Allow"), "Scans"),
    ("E9109", DENIED, "Resource: [!Sub", "Scans"),
    ("E9110", ", NoEcho: true", "", "CdrPassword"),
    ("E9110", 'Default: "", NoEcho', 'Default: geheim, NoEcho', "CdrPassword"),
    ("E9110", "SecretString: !Ref CdrPassword", "SecretString: !Ref CdrSecretArn", "CdrSecretArn"),
    ("E9111", "RetainExceptOnCreate", "Retain", "Slides"),
    ("E9111", "RetainExceptOnCreate", "Delete", "Slides"),
    ("E9111", "DeletionPolicy: RetainExceptOnCreate", "UpdateReplacePolicy: Retain", "Slides"),
    ("E9111", "!Ref Protection", "true", "Slides"),
    ("E9112", 'OpenApiVersion: "2.0"', "Tags: {a: b}", "ApiDeployment"),
    ("E9112", "AccessLogSetting: {", "Variables: {", "Apiv1Stage"),
    ("E9112", "ThrottlingBurstLimit: 9", "MetricsEnabled: true", "Apiv1Stage"),
    ("E9112", "ResourcePath: /*", "ResourcePath: /Ask", "Apiv1Stage"),
    ("E9113", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "AskedRole"),
]  # fmt: skip


def findings(rule: str, template: Template) -> list[str]:
    """Logical IDs that a rule complains of."""
    return [match.path[1] for match in RULES[rule].match(template)]


def transformed(text: str) -> Template:
    """Return a template as the rules see it: SAM's resources made CloudFormation's."""
    template = Template("x.template.yaml", loads(text), ["eu-central-1"])
    assert not template.transform()
    return template


def test_a_good_template_passes():
    template = transformed(GOOD)
    assert {rule: found for rule in RULES if (found := findings(rule, template))} == {}


@pytest.mark.parametrize(("rule", "good", "bad", "name"), CASES)
@pytest.mark.slow
def test_a_bad_one_does_not(rule, good, bad, name):
    assert good in GOOD
    found = findings(rule, transformed(GOOD.replace(good, bad, 1)))
    # SAM ends the logical ID of a deployment with a digest.
    assert name in {re.sub(r"(?<=Deployment)[0-9a-f]{10}$", "", each) for each in found}


def test_every_rule_has_its_case():
    assert {case[0] for case in CASES} == set(RULES)
